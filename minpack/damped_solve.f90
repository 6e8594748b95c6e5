! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The damped triangular least-squares problem behind every Levenberg-Marquardt step.
module damped_solve
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: qrsolv, leading_rank

contains

    !> Minimise ‖R Pᵀ z - qtf‖² + ‖E z‖² for a diagonal E, given the triangle R of A P = Q R.
    !>
    !> The diagonal is rotated into a copy of R, row by row, by Givens rotations; R survives, because the
    !> search for the damping parameter solves with several E. Where the resulting triangle S is singular,
    !> the components from its first zero on are set to zero.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), QRSOLV.
    !> Differs from MINPACK-1: S has a matrix of its own in place of R's lower triangle.
    pure subroutine qrsolv(n, r, ipvt, diag, qtf, z, s, sdiag, rotated)
        integer, intent(in) :: n                !! order, n >= 1
        real(wp), intent(in) :: r(n, n)         !! upper triangle R
        integer, intent(in) :: ipvt(n)          !! the permutation P
        real(wp), intent(in) :: diag(n)         !! diagonal of E, in the order of z
        real(wp), intent(in) :: qtf(n)          !! first n entries of Qᵀ f
        real(wp), intent(out) :: z(n)           !! the solution
        real(wp), intent(out) :: s(n, n)        !! triangle S with Sᵀ S = Pᵀ(Aᵀ A + E²)P, upper part only
        real(wp), intent(out) :: sdiag(n)       !! work: the row of E being rotated in
        real(wp), intent(out) :: rotated(n)     !! work: right-hand side, then solution in pivoted order

        real(wp) :: cosine, sine, extra, held
        integer :: i, j, k, leading

        do j = 1, n
            s(1:j, j) = r(1:j, j)
            rotated(j) = qtf(j)
        end do

        do j = 1, n
            if (diag(ipvt(j)) == 0.0_wp) cycle
            sdiag(j) = diag(ipvt(j))
            sdiag(j + 1:n) = 0.0_wp
            extra = 0.0_wp
            do k = j, n
                if (sdiag(k) == 0.0_wp) cycle
                call find_rotation(s(k, k), sdiag(k), cosine, sine)
                s(k, k) = cosine*s(k, k) + sine*sdiag(k)
                held = cosine*rotated(k) + sine*extra
                extra = -sine*rotated(k) + cosine*extra
                rotated(k) = held
                do i = k + 1, n
                    held = cosine*s(k, i) + sine*sdiag(i)
                    sdiag(i) = -sine*s(k, i) + cosine*sdiag(i)
                    s(k, i) = held
                end do
            end do
        end do

        leading = leading_rank(n, s)
        rotated(leading + 1:n) = 0.0_wp
        do j = leading, 1, -1
            held = 0.0_wp
            do i = j + 1, leading
                held = held + s(j, i)*rotated(i)
            end do
            rotated(j) = (rotated(j) - held)/s(j, j)
        end do
        do j = 1, n
            z(ipvt(j)) = rotated(j)
        end do
    end subroutine qrsolv

    !> Rotation that takes `b` to zero against `a`, without overflow.
    pure subroutine find_rotation(a, b, cosine, sine)
        real(wp), intent(in) :: a, b            !! b is not zero
        real(wp), intent(out) :: cosine, sine

        real(wp) :: ratio

        if (abs(a) < abs(b)) then
            ratio = a/b
            sine = 0.5_wp/sqrt(0.25_wp + 0.25_wp*ratio**2)
            cosine = sine*ratio
        else
            ratio = b/a
            cosine = 0.5_wp/sqrt(0.25_wp + 0.25_wp*ratio**2)
            sine = cosine*ratio
        end if
    end subroutine find_rotation

    !> Number of diagonal entries of an upper triangle before its first zero.
    pure function leading_rank(n, t) result(rank)
        integer, intent(in) :: n                !! order, n >= 1
        real(wp), intent(in) :: t(n, n)         !! upper triangle
        integer :: rank

        integer :: j

        rank = n
        do j = n, 1, -1
            if (t(j, j) == 0.0_wp) rank = j - 1
        end do
    end function leading_rank

end module damped_solve
