! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The linear test problems: residuals f and Jacobian at x.
!>
!> Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing unconstrained optimization software,
!> ACM Trans. Math. Softw. 7 (1981) 17-41, functions 32 to 34.
module linear_problems
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: linear_full_rank, linear_rank_1, linear_rank_1_with_zeros

contains

    !> Full rank: a reflection in the first n components.
    pure subroutine linear_full_rank(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (n)
        real(wp), intent(out) :: f(:)               !! residuals (m)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (m, n)

        real(wp) :: twofold_mean
        integer :: j

        twofold_mean = 2.0_wp*sum(x)/size(f)
        f = -twofold_mean - 1.0_wp
        f(:size(x)) = f(:size(x)) + x
        jac = -2.0_wp/size(f)
        do j = 1, size(x)
            jac(j, j) = jac(j, j) + 1.0_wp
        end do
    end subroutine linear_full_rank

    !> Rank 1: every residual depends on x through the same combination.
    pure subroutine linear_rank_1(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (n)
        real(wp), intent(out) :: f(:)               !! residuals (m)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (m, n)

        integer :: i, j

        do j = 1, size(x)
            do i = 1, size(f)
                jac(i, j) = real(i, wp)*j
            end do
        end do
        do i = 1, size(f)
            f(i) = i*sum([(j*x(j), j=1, size(x))]) - 1.0_wp
        end do
    end subroutine linear_rank_1

    !> Rank 1 with zero columns and rows: the first and last parameter and residual take no part.
    pure subroutine linear_rank_1_with_zeros(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (n)
        real(wp), intent(out) :: f(:)               !! residuals (m)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (m, n)

        integer :: i, j, m, n

        m = size(f)
        n = size(x)
        jac = 0.0_wp
        do j = 2, n - 1
            do i = 2, m - 1
                jac(i, j) = real(i - 1, wp)*j
            end do
        end do
        f = -1.0_wp
        do i = 2, m - 1
            f(i) = (i - 1)*sum([(j*x(j), j=2, n - 1)]) - 1.0_wp
        end do
    end subroutine linear_rank_1_with_zeros

end module linear_problems
