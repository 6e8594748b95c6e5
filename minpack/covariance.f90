! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The inverse of JᵀJ from its triangular factor.
module covariance
    use kinds, only: wp
    use norms, only: enorm
    implicit none (type, external)
    private
    public :: covar, unpivot

contains

    !> Compute (JᵀJ)⁻¹ = P R⁻¹ R⁻ᵀ Pᵀ, unless R has a zero (or NaN) on its diagonal.
    !>
    !> With `deviation`, the result is deviation² (JᵀJ)⁻¹, scaled before it could overflow or underflow. Fixed
    !> parameters have no variance: their columns are zero, so that pivoting leaves them last.
    !>
    !> Reference: ANL-80-74 (1980), section 2.2 (covariance); Golub, Van Loan, Matrix Computations, section 3.1.
    pure subroutine covar(n, free, r, ipvt, cov, singular, inverse, deviation)
        integer, intent(in) :: n                    !! order, n >= 1
        integer, intent(in) :: free                 !! columns that are not of fixed parameters
        real(wp), intent(in) :: r(n, n)             !! upper triangle R of J P = Q R
        integer, intent(in) :: ipvt(n)              !! the permutation P
        real(wp), intent(out) :: cov(n, n)          !! (JᵀJ)⁻¹, symmetric; zero when singular
        logical, intent(out) :: singular            !! whether R has no inverse
        real(wp), intent(out) :: inverse(n, n)      !! work: upper triangle of R⁻¹, times deviation
        real(wp), intent(in), optional :: deviation !! standard deviation of the residuals

        real(wp) :: total, factor
        integer :: i, j, k

        cov = 0.0_wp
        singular = .false.
        do j = 1, free
            if (.not. abs(r(j, j)) > 0.0_wp) singular = .true.
        end do
        if (singular) return

        factor = 1.0_wp
        if (present(deviation)) factor = deviation
        do j = 1, free
            inverse(j, j) = factor/r(j, j)
            do i = j - 1, 1, -1
                total = 0.0_wp
                do k = i + 1, j
                    total = total + r(i, k)*inverse(k, j)
                end do
                inverse(i, j) = -total/r(i, i)
            end do
        end do

        do j = 1, free
            do i = 1, j
                total = 0.0_wp
                do k = j, free
                    total = total + inverse(i, k)*inverse(j, k)
                end do
                cov(ipvt(i), ipvt(j)) = total
                cov(ipvt(j), ipvt(i)) = total
            end do
        end do
    end subroutine covar

    !> Undo the permutation of a pivoted triangle: from R of J P = Q R to the triangle of J itself.
    !>
    !> Reference: Golub, Van Loan, Matrix Computations, 4th ed. (2013), section 5.2.2 (Householder QR).
    pure subroutine unpivot(n, r, qtf, ipvt, triangle)
        integer, intent(in) :: n                    !! order, n >= 1
        real(wp), intent(in) :: r(n, n)             !! upper triangle R of J P = Q R
        real(wp), intent(in) :: qtf(n)              !! the head of Qᵀ f
        integer, intent(in) :: ipvt(n)              !! the permutation P; zeros if there is none
        real(wp), intent(out) :: triangle(n, n + 1) !! upper triangle T with TᵀT = JᵀJ, zeros below, and the head of
                                                    !! Qᵀ f that goes with it; zeros without P

        real(wp) :: norm, product
        integer :: j, k

        triangle = 0.0_wp
        if (any(ipvt < 1)) return
        do j = 1, n
            triangle(1:j, ipvt(j)) = r(1:j, j)
        end do
        triangle(:, n + 1) = qtf
        do j = 1, n - 1
            norm = enorm(n - j + 1, triangle(j, j))
            if (norm == 0.0_wp) cycle
            if (triangle(j, j) > 0.0_wp) norm = -norm
            triangle(j, j) = triangle(j, j) - norm
            do k = j + 1, n + 1
                product = sum(triangle(j:n, j)/norm*triangle(j:n, k))/triangle(j, j)
                triangle(j:n, k) = triangle(j:n, k) + product*triangle(j:n, j)
            end do
            triangle(j, j) = norm
            triangle(j + 1:n, j) = 0.0_wp
        end do
    end subroutine unpivot

end module covariance
