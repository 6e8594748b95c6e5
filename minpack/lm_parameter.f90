! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The damping parameter: how far to lean from the Gauss-Newton step towards steepest descent.
module lm_parameter
    use kinds, only: wp, smallest
    use norms, only: enorm
    use damped_solve, only: qrsolv, leading_rank
    implicit none (type, external)
    private
    public :: lmpar

contains

    !> Find par >= 0 and the minimiser z of ‖J z - f‖² + par ‖D z‖² with ‖D z‖ within 10 % of delta,
    !> or par = 0 where the Gauss-Newton step is no longer than that.
    !>
    !> A safeguarded Newton iteration on phi(par) = ‖D z(par)‖ - delta, at most ten steps, between
    !> bounds that close in on the root. Newton's correction is (phi/delta)/‖T⁻ᵀ Pᵀ(D² z/‖D z‖)‖², with
    !> T = R at par = 0 and T = S, the damped triangle, elsewhere. (The two solves take their sums in
    !> different orders, as MINPACK-1 does; the iterates depend on it to the last bit.)
    !>
    !> Reference: J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, LNM 630
    !> (1978), sections 3 and 5; ANL-80-74 (1980), LMPAR. Identical to MINPACK-1.
    pure subroutine lmpar(n, r, ipvt, diag, qtf, delta, par, z, s, wa1, wa2, wa3)
        integer, intent(in) :: n                !! order, n >= 1
        real(wp), intent(in) :: r(n, n)         !! upper triangle R of J P = Q R
        integer, intent(in) :: ipvt(n)          !! the permutation P
        real(wp), intent(in) :: diag(n)         !! diagonal of D, positive
        real(wp), intent(in) :: qtf(n)          !! first n entries of Qᵀ f
        real(wp), intent(in) :: delta           !! bound on ‖D z‖, positive
        real(wp), intent(inout) :: par          !! in: estimate; out: the damping parameter
        real(wp), intent(out) :: z(n)           !! the minimiser
        real(wp), intent(out) :: s(n, n)        !! work: triangle of the damped problem
        real(wp), intent(out) :: wa1(n), wa2(n), wa3(n)  !! work

        integer, parameter :: most_steps = 10
        real(wp) :: phi, previous_phi, lower, upper, gradient_norm, dznorm
        integer :: j, step, rank

        rank = leading_rank(n, r)
        call gauss_newton(n, rank, r, ipvt, qtf, z, wa1)
        wa2 = diag*z
        dznorm = enorm(n, wa2)
        phi = dznorm - delta
        if (phi <= 0.1_wp*delta) then
            par = 0.0_wp
            return
        end if

        lower = 0.0_wp
        if (rank == n) then
            call growth_direction(n, ipvt, diag, wa2, dznorm, wa1)
            do j = 1, n
                wa1(j) = (wa1(j) - triangle_column_sum(j - 1, r(1, j), wa1))/r(j, j)
            end do
            lower = newton_step(n, phi/delta, wa1)
        end if
        gradient_norm = scaled_gradient_norm(n, r, ipvt, diag, qtf)
        upper = gradient_norm/delta
        if (upper == 0.0_wp) upper = smallest/min(delta, 0.1_wp)
        par = min(max(par, lower), upper)
        if (par == 0.0_wp) par = gradient_norm/dznorm

        do step = 1, most_steps
            if (par == 0.0_wp) par = max(smallest, 0.001_wp*upper)
            wa1 = sqrt(par)*diag
            call qrsolv(n, r, ipvt, wa1, qtf, z, s, wa2, wa3)
            wa2 = diag*z
            dznorm = enorm(n, wa2)
            previous_phi = phi
            phi = dznorm - delta
            if (abs(phi) <= 0.1_wp*delta .or. step == most_steps) return
            if (lower == 0.0_wp .and. phi <= previous_phi .and. previous_phi < 0.0_wp) return

            call growth_direction(n, ipvt, diag, wa2, dznorm, wa1)
            call solve_transposed(n, s, wa1)
            if (phi > 0.0_wp) lower = max(lower, par)
            if (phi < 0.0_wp) upper = min(upper, par)
            par = max(lower, par + newton_step(n, phi/delta, wa1))
        end do
    end subroutine lmpar

    !> The Gauss-Newton direction; where R is singular, that of its leading part.
    pure subroutine gauss_newton(n, rank, r, ipvt, qtf, z, w)
        integer, intent(in) :: n                !! order
        integer, intent(in) :: rank             !! of the leading part
        real(wp), intent(in) :: r(n, n)         !! upper triangle R
        integer, intent(in) :: ipvt(n)          !! the permutation P
        real(wp), intent(in) :: qtf(n)          !! first n entries of Qᵀ f
        real(wp), intent(out) :: z(n)           !! the direction
        real(wp), intent(out) :: w(n)           !! work: the same in pivoted order

        integer :: j

        w(1:rank) = qtf(1:rank)
        w(rank + 1:n) = 0.0_wp
        do j = rank, 1, -1
            w(j) = w(j)/r(j, j)
            w(1:j - 1) = w(1:j - 1) - r(1:j - 1, j)*w(j)
        end do
        do j = 1, n
            z(ipvt(j)) = w(j)
        end do
    end subroutine gauss_newton

    !> Solve Sᵀ w = w, column by column.
    pure subroutine solve_transposed(n, s, w)
        integer, intent(in) :: n                !! order
        real(wp), intent(in) :: s(n, n)         !! upper triangle S
        real(wp), intent(inout) :: w(n)

        integer :: j

        do j = 1, n
            w(j) = w(j)/s(j, j)
            w(j + 1:n) = w(j + 1:n) - s(j, j + 1:n)*w(j)
        end do
    end subroutine solve_transposed

    !> ‖D⁻¹ Jᵀ f‖.
    pure function scaled_gradient_norm(n, r, ipvt, diag, qtf) result(norm)
        integer, intent(in) :: n                !! order
        real(wp), intent(in) :: r(n, n)         !! upper triangle R
        integer, intent(in) :: ipvt(n)          !! the permutation P
        real(wp), intent(in) :: diag(n)         !! diagonal of D
        real(wp), intent(in) :: qtf(n)          !! first n entries of Qᵀ f
        real(wp) :: norm

        real(wp) :: gradient(n)
        integer :: j

        do j = 1, n
            gradient(j) = triangle_column_sum(j, r(1, j), qtf)/diag(ipvt(j))
        end do
        norm = enorm(n, gradient)
    end function scaled_gradient_norm

    !> Newton's step for par, from how far ‖D z‖ is beyond the bound and how fast it falls.
    pure function newton_step(n, excess, growth) result(step)
        integer, intent(in) :: n
        real(wp), intent(in) :: excess          !! (‖D z‖ - delta)/delta
        real(wp), intent(in) :: growth(n)       !! T⁻ᵀ Pᵀ(D² z/‖D z‖)
        real(wp) :: step

        real(wp) :: norm

        norm = enorm(n, growth)
        step = (excess/norm)/norm
    end function newton_step

    !> Set w to Pᵀ(D² z/‖D z‖), the direction in which ‖D z‖ grows.
    pure subroutine growth_direction(n, ipvt, diag, dz, dznorm, w)
        integer, intent(in) :: n                !! order
        integer, intent(in) :: ipvt(n)          !! the permutation P
        real(wp), intent(in) :: diag(n)         !! diagonal of D
        real(wp), intent(in) :: dz(n)           !! D z
        real(wp), intent(in) :: dznorm          !! ‖D z‖, positive
        real(wp), intent(out) :: w(n)           !! the direction, in pivoted order

        integer :: j

        do j = 1, n
            w(j) = diag(ipvt(j))*(dz(ipvt(j))/dznorm)
        end do
    end subroutine growth_direction

    pure function triangle_column_sum(count, column, weights) result(total)
        integer, intent(in) :: count
        real(wp), intent(in) :: column(count), weights(count)
        real(wp) :: total

        integer :: i

        total = 0.0_wp
        do i = 1, count
            total = total + column(i)*weights(i)
        end do
    end function triangle_column_sum

end module lm_parameter
